/** Makes text of others fit to be shown. */

/**
 * Control, format and unassigned characters, separators of lines, and marks on a letter that has four.
 * Hardly a text needs more, and a pile of them covers the lines above and below.
 */
const HIDING = /[\p{C}\p{Zl}\p{Zp}]|(?<=\p{M}{4})\p{M}/gu

/**
 * Escapes characters that move the cursor, turn the direction of writing, or hide a letter or a line. They
 * are shown as their codes (`\u{202e}`).
 */
export function visibleText(text: string): string {
  return text.replace(HIDING, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/**
 * Returns JSON in which no character hides another. JSON escapes ASCII's controls; this escapes the other
 * kinds.
 */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[^\n\P{C}]|[\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}
