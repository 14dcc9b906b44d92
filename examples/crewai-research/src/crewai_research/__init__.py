"""A crew that looks a subject up and writes a report about it."""
