"""Declarative mapping modules: YAML files compiled to Python (docs/reference/mapping-language.md says what
may stand in one).

document → declaration     the file, and its parts
parser → checker           an expression, and its terms with the types of the source
template, holes            the output, against the types of the target
generator, loops → code    terms become one Python function
module, modules            what the rest of the gateway uses
watch, tracked             the same code with notes, for explain and coverage
"""
