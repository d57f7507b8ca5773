#include "aim/codec/action_image.h"
