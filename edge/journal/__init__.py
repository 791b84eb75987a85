"""The box's append-only store: what is said to be saved is in here before it is said.

`store` owns the file and its SQL, `writer` the one connection that writes, `reader` what others read, `service` what tasks use.
"""
