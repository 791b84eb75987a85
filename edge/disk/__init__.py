"""Room on the medium: how full it is, what is done about it, and the file that is given away when there is none left."""
