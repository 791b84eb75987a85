"""The mirror: master data of one station as a stream of patches."""
