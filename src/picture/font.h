/* A bitmap font of 5 × 8 dots, the eighth row for descenders, for printable ASCII. Private. */
#ifndef PICTURE_FONT_H
#define PICTURE_FONT_H

#include <stdint.h>

enum { MMS_FONT_WIDTH = 5, MMS_FONT_HEIGHT = 8, MMS_FONT_ADVANCE = 6 };

/* The five columns of a glyph, left to right; bit 0 is the top row, bit 7 the bottom one. What is not
 * printable ASCII is drawn as a question mark. Local. */
const uint8_t *mms_font_glyph(unsigned char character);

/* Dots that `text` takes in width; a multi-byte UTF-8 character counts as one glyph. Local. */
int64_t mms_font_width(const char *text);

#endif
