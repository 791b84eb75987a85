"""Cameras: one still picture when somebody asks for it. They speak no bytes of their own, so they are no codecs."""
