"""An independent generator of health records with planted defects, and the measure of how many are found.

Nothing here may use `datasach.synth`: a product must not be judged by its own idea of the world. What is
clean is what the national standard says (tables, formats, code lists, money); people, facilities, habits
and distributions are this package's own. Nobody and nothing in it exists.
"""
