"""What lies around a record: messages, followers, activities, files, and the search over everything."""
