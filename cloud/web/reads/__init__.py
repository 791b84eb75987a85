"""Questions to the core's tables and services, answered as the view data that pages show. They read and never write."""
