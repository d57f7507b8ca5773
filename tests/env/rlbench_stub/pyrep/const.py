class ObjectType:
    SHAPE = "shape"
