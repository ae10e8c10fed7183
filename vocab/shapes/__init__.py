"""SHACL shapes of what is published. `vocab.shapes.check` needs rdflib and pySHACL: imported only where it is used."""
