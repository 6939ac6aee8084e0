/** Makes the stylesheet of a merchant's colour, with a text colour that is readable on it. */

/**
 * Returns the stylesheet. The colour is a background alone, and its text is black or white, whichever has
 * more contrast. One of them always has at least 4.5 to 1, which WCAG AA asks for.
 */
export function colourSheet(colour: string): string {
  return `:root{--brand:${colour};--on-brand:${textOn(colour)}}`
}

/** Returns black or white. */
export function textOn(colour: string): '#000000' | '#ffffff' {
  const own = luminance(colour)
  return 1.05 / (own + 0.05) >= (own + 0.05) / 0.05 ? '#ffffff' : '#000000'
}

/** Relative luminance, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
