/** Splits a text into runs of one font and direction, in the order in which they stand on paper. */

import createBidi, { type Bidi } from 'bidi-js'

/** A piece of text that is drawn at once. */
export interface TextRun<Font> {
  readonly font: Font | null
  /** Letters in their logical order, or as they stand where the font does not turn them itself. */
  readonly text: string
}

interface Piece<Font> {
  font: Font | null
  level: number
  text: string
}

const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Thaana}\p{Script=Syriac}\p{Script=Nko}]/u
// The types describe an ES module, and Node.js loads the other one, which is the function itself.
const bidi = (createBidi as unknown as () => Bidi)()

/**
 * Returns the runs from left to right, by the Unicode Bidirectional Algorithm.
 *
 * @param fontOf - Returns the font of a letter: the one before it where that has the letter too. `null` where no
 * font has it.
 */
export async function textRuns<Font>(
  text: string,
  fontOf: (codePoint: number, before: Font | null) => Promise<Font | null>,
): Promise<TextRun<Font>[]> {
  const embedding = bidi.getEmbeddingLevels(text, 'auto')
  const mirrored = bidi.getMirroredCharactersMap(text, embedding.levels)
  const pieces: Piece<Font>[] = []
  let place = 0
  for (const letter of text) {
    const last = pieces.at(-1)
    const font = await fontOf(letter.codePointAt(0) ?? 0, last?.font ?? null)
    const level = embedding.levels[place] ?? 0
    const shown = mirrored.get(place) ?? letter
    if (last && last.font === font && last.level === level) last.text += shown
    else pieces.push({ font, level, text: shown })
    place += letter.length
  }
  return inOrder(pieces).map(({ font, level, text: own }) => ({
    font,
    // A font turns letters whose script runs from right to left. Others it leaves as they are.
    text: level % 2 === 1 && !RIGHT_TO_LEFT.test(own) ? [...own].reverse().join('') : own,
  }))
}

/** Reorders pieces: from the highest level down to the lowest odd one, neighbours of that level are turned. */
function inOrder<Font>(pieces: readonly Piece<Font>[]): Piece<Font>[] {
  const order = [...pieces]
  for (let level = Math.max(0, ...order.map((piece) => piece.level)); level > 0; level--) {
    for (let begin = 0; begin < order.length; begin++) {
      let end = begin
      while (end < order.length && (order[end]?.level ?? 0) >= level) end++
      if (end === begin) continue
      order.splice(begin, end - begin, ...order.slice(begin, end).reverse())
      begin = end
    }
  }
  return order
}
