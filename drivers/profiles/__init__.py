"""Line-format instruments described by a TOML profile, without code."""
