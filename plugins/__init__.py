"""The encoders that come with textseq, one file each; found through entry points like anyone else's."""
