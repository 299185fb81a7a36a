"""Declarative mapping modules: YAML files compiled to Python (mappings/README.md is the guide to writing one).

document → declaration     the file, and its parts
parser → checker           an expression, and its terms with the types of the source
template, holes            the output, against the types of the target
generator, loops → code    terms become one Python function
module, modules            what the rest of the gateway uses
"""
