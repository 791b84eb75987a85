"""Industrial terminals: continuous streams, print lines and their relatives; USB HID scales."""
