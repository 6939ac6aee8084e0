/** Makes text of others fit to be shown. */

/**
 * Escapes characters that move the cursor, turn the direction of writing or hide a letter: control, format
 * and unassigned characters and separators of lines are shown as their codes (`\u{202e}`).
 */
export function visibleText(text: string): string {
  return text.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
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
