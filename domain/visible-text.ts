/** Text that somebody else wrote, made fit to be shown. */

/**
 * Text from elsewhere must not move the cursor, turn the direction of writing or hide a letter: control, format and unassigned
 * characters, and separators of lines, are shown as what they are (`\u{202e}`).
 */
export function visibleText(text: string): string {
  return text.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** JSON that shows no character as another: outside of ASCII's controls, which JSON escapes anyway, the same kinds are escaped. */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[^\n\P{C}]|[\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}
