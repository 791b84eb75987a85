"""Background work: one table of jobs under leases, schedules that fill it, and the loop that works it off."""
