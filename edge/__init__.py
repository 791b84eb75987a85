"""The box: devices, journal, uplink, mirror, jobs and the kiosk that operators touch."""
