/** Finds the font file that has a letter: fonts come in slices, each with the letters of a few ranges. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const resolve = createRequire(import.meta.url).resolve

/**
 * Packages of fonts, in the order in which a letter is looked up. Together they have the scripts that the tests list.
 * A letter of another one is a box, such as one of the Mongolian script, which runs from top to bottom.
 */
const PACKAGES = [
  '@fontsource-variable/noto-sans',
  '@fontsource-variable/noto-sans-arabic',
  '@fontsource-variable/noto-sans-hebrew',
  '@fontsource-variable/noto-sans-thai',
  '@fontsource-variable/noto-sans-bengali',
  '@fontsource-variable/noto-sans-tamil',
  '@fontsource-variable/noto-sans-telugu',
  '@fontsource-variable/noto-sans-kannada',
  '@fontsource-variable/noto-sans-malayalam',
  '@fontsource-variable/noto-sans-gujarati',
  '@fontsource-variable/noto-sans-gurmukhi',
  '@fontsource-variable/noto-sans-sinhala',
  '@fontsource-variable/noto-sans-khmer',
  '@fontsource-variable/noto-sans-lao',
  '@fontsource-variable/noto-sans-ethiopic',
  '@fontsource-variable/noto-sans-armenian',
  '@fontsource-variable/noto-sans-georgian',
  '@fontsource-variable/noto-sans-thaana',
  '@fontsource-variable/noto-sans-oriya',
  '@fontsource-variable/noto-sans-myanmar',
  '@fontsource-variable/noto-serif-tibetan',
  '@fontsource-variable/noto-sans-syriac',
  '@fontsource-variable/noto-sans-cherokee',
  '@fontsource-variable/noto-sans-canadian-aboriginal',
  '@fontsource-variable/noto-sans-ol-chiki',
  '@fontsource/noto-sans-nko',
  '@fontsource/noto-sans-tifinagh',
  '@fontsource-variable/noto-sans-sc',
  '@fontsource-variable/noto-sans-kr',
] as const

export interface FontFile {
  readonly path: string
  has(codePoint: number): boolean
}

let files: readonly FontFile[] | undefined

/** Returns the files that may have a letter, in their order. */
export function fontFilesOf(codePoint: number): readonly FontFile[] {
  files ??= PACKAGES.flatMap(readPackage)
  return files.filter((file) => file.has(codePoint))
}

function readPackage(name: string): FontFile[] {
  const slices = JSON.parse(readFileSync(resolve(`${name}/unicode.json`), 'utf8')) as Record<string, string>
  const family = name.slice(name.indexOf('/') + 1)
  // Fonts without a variable weight have one file for each weight.
  const weight = name.startsWith('@fontsource-variable/') ? 'wght' : '400'
  return Object.entries(slices).map(([slice, text]) => {
    const ranges = text.split(',').map(readRange)
    return {
      path: resolve(`${name}/files/${family}-${slice.replace(/[[\]]/g, '')}-${weight}-normal.woff2`),
      has: (codePoint) => ranges.some(([first, last]) => codePoint >= first && codePoint <= last),
    }
  })
}

/** Reads a range such as `U+0600-06FF` or `U+200C`. */
function readRange(text: string): readonly [first: number, last: number] {
  const [first = '', last = first] = text.trim().slice(2).split('-')
  return [Number.parseInt(first, 16), Number.parseInt(last, 16)]
}
