"""The pages that operators touch: server-rendered, in Hebrew and English, live through one event stream per page."""
