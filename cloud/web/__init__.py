"""The staff pages: what people in the office read and decide, over the core's services."""

from cloud.web.app import create_staff_app
from cloud.web.settings import StaffDeps, StaffSettings

__all__ = ["StaffDeps", "StaffSettings", "create_staff_app"]
