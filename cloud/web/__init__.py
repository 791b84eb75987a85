"""The staff pages: what people in the office read and decide. They show what the core's services say and change nothing themselves."""

from cloud.web.app import StaffDeps, StaffSettings, create_staff_app

__all__ = ["StaffDeps", "StaffSettings", "create_staff_app"]
