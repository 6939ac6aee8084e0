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
