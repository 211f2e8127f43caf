"""A classifier for other runtimes: converted, asked in a clean process, held to the SavedModel."""
