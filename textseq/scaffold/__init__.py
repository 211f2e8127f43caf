"""A package for a plugin of one's own, to begin with: what `textseq plugins new` writes."""
