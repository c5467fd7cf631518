/* Classify the images in the file `images`, write their scores to the file `scores`, and print the ticks of each.
 * The timer runs at 25 MHz and wraps after 171 emulated seconds. */
#include <stdint.h>
#include <stdio.h>

#define TIMER ((volatile uint32_t *)0x40000000u) /* CMSDK APB timer 0: control, value, reload */

int main(void) {
    static uint8_t pixels[PIXELS];
    static NET(score) scores[CLASSES];
    FILE *in = fopen("images", "rb"), *out = fopen("scores", "wb");
    TIMER[0] = 0;
    while (fread(pixels, 1, sizeof pixels, in) == sizeof pixels) {
        TIMER[2] = 0xFFFFFFFFu;
        TIMER[1] = 0xFFFFFFFFu;
        TIMER[0] = 1;
        NET(classify)(pixels, scores);
        TIMER[0] = 0;
        const uint32_t used = 0xFFFFFFFFu - TIMER[1];
        printf("ticks %lu\n", (unsigned long)used);
        fwrite(scores, sizeof scores[0], CLASSES, out);
    }
    fclose(out);
    return 0;
}
