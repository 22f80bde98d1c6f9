"""What may be written on a picture: texts, templates, fonts, sizes."""
