"""The interface for programs: every kind of record over HTTP and JSON, described by an OpenAPI document of its definitions."""
