"""Makes and tries the packages that the module is given away in."""
