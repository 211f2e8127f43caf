"""Standalone HTML pages with charts as SVG: one file, no network, light and dark."""
