"""Identity of boxes and servers: the local certificate authority, keys and certificates on disk, enrolment, TLS contexts."""
