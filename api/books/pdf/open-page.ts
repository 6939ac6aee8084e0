/** Opens a PDF on which texts in any script can be drawn. */

import { readFile } from 'node:fs/promises'
import PDFDocument from 'pdfkit'
import { decompress } from 'wawoff2'
import { type FontFile, fontFilesOf } from './font-files.js'
import { textRuns } from './text-runs.js'

/** Shown instead of a letter that no font has. */
const MISSING = '□'
/** Width of the outline of thin letters, as a part of their size. */
const OUTLINE = 0.03
/** With a list of features the words are shaped together, not one by one. */
const SHAPED: Features = []
/** The same without the places of marks, which some fonts have in a form that the reader of fonts cannot take. */
const WITHOUT_MARKS = { abvm: false, blwm: false, mark: false, mkmk: false } as unknown as Features
/** Weight of letters that need none. */
const REGULAR = 400

type Features = NonNullable<PDFKit.Mixins.TextOptions['features']>

export interface Place {
  readonly x: number
  readonly y: number
  readonly size: number
  /** Right end instead of the left one, where `x` is. */
  readonly right?: boolean
}

export interface Page {
  readonly document: PDFKit.PDFDocument
  /** Draws a text on one line. `y` is its base line. */
  draw(text: string, place: Place): Promise<void>
  /** Returns the width of a text. */
  measure(text: string, size: number): Promise<number>
  /** Ends the document and returns its bytes. */
  end(): Promise<Buffer>
}

/** What is used of a font that the document has opened. */
interface OpenedFont {
  hasGlyphForCodePoint(codePoint: number): boolean
  readonly variationAxes: Readonly<Record<string, { readonly default: number }>>
}

interface Font {
  readonly file: FontFile
  /** Whether the letters are thin as they lie in the file, so that they need an outline. */
  readonly thin: boolean
  has(codePoint: number): boolean
}

/** A run as it is drawn. */
interface Shaped {
  readonly text: string
  readonly features: Features
  readonly width: number
  readonly thin: boolean
}

/** Opens a document without a page. The same texts and facts make the same bytes. */
export function openPage(options: PDFKit.PDFDocumentOptions): Page {
  const document = new PDFDocument({ ...options, autoFirstPage: false, bufferPages: true })
  const chunks: Buffer[] = []
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise<Buffer>((resolve, reject) => {
    document.on('end', () => resolve(Buffer.concat(chunks)))
    document.on('error', reject)
  })
  const fonts = new Map<string, Font>()

  async function load(file: FontFile): Promise<Font> {
    const known = fonts.get(file.path)
    if (known) return known
    document.registerFont(file.path, Buffer.from(await decompress(await readFile(file.path))))
    document.font(file.path)
    // The document has its fonts opened, and pdfkit has no other name for the one in use.
    const { font: opened } = (document as unknown as { _font: { font: OpenedFont } })._font
    const font = {
      file,
      thin: (opened.variationAxes.wght?.default ?? REGULAR) < REGULAR,
      has: (codePoint: number) => opened.hasGlyphForCodePoint(codePoint),
    }
    fonts.set(file.path, font)
    return font
  }
  async function fontOf(codePoint: number, before: Font | null): Promise<Font | null> {
    if (before?.has(codePoint)) return before
    for (const file of fontFilesOf(codePoint)) {
      const font = await load(file)
      if (font.has(codePoint)) return font
    }
    return null
  }
  /** Returns how a text is shaped in a font, and its width. `null` if the font does not shape it. */
  function shape(text: string, font: Font, size: number): Omit<Shaped, 'text' | 'thin'> | null {
    document.font(font.file.path).fontSize(size)
    for (const features of [SHAPED, WITHOUT_MARKS]) {
      try {
        return { features, width: document.widthOfString(text, { features }) }
      } catch {
        // A name must not keep the statement from being made, so it is shaped with less, or shown as boxes.
      }
    }
    return null
  }
  /** Calls `visit` for each run, in the font of the run. */
  async function eachRun(text: string, size: number, visit: (run: Shaped) => void): Promise<void> {
    const missing = await fontOf(MISSING.codePointAt(0) ?? 0, null)
    for (const run of await textRuns(text, fontOf)) {
      const shaped = run.font && shape(run.text, run.font, size)
      if (shaped) {
        visit({ ...shaped, text: run.text, thin: run.font.thin })
        continue
      }
      const boxes = MISSING.repeat([...run.text].length)
      const shown = missing && shape(boxes, missing, size)
      if (shown) visit({ ...shown, text: boxes, thin: missing.thin })
    }
  }
  async function measure(text: string, size: number): Promise<number> {
    let sum = 0
    await eachRun(text, size, ({ width }) => {
      sum += width
    })
    return sum
  }

  return {
    document,
    measure,
    async draw(text, { x, y, size, right = false }) {
      let at = right ? x - (await measure(text, size)) : x
      await eachRun(text, size, ({ text: shown, features, width, thin }) => {
        document.lineWidth(size * OUTLINE)
        document.text(shown, at, y, {
          lineBreak: false,
          features,
          baseline: 'alphabetic',
          ...(thin ? { fill: true, stroke: true } : {}),
        })
        at += width
      })
    },
    end() {
      document.end()
      return ended
    },
  }
}
