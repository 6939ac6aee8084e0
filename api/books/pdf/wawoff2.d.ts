/** Declares what the PDF uses of `wawoff2`, which has no types of its own. */

declare module 'wawoff2' {
  /** Returns the font of a WOFF2 file as TrueType. */
  export function decompress(file: Uint8Array): Promise<Uint8Array>
}
