"""Those who are measured, one file a library; each makes a function that does one step of a workload."""
