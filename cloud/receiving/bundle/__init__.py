"""Handing a receipt over: the file is made from the database here, and proved without one."""
