/** Reads CSV piece by piece, as RFC 4180 has it, so that memory does not grow with the file. */

/** A line of CSV: where it begins in the file, from 1, and its cells. */
export interface CsvRecord {
  readonly line: number
  readonly cells: readonly string[]
}

/** A file is no CSV. */
export class CsvError extends Error {
  override readonly name = 'CsvError'

  /** @param line - Line of the file at which it is none, from 1. */
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message)
  }
}

const QUOTE = '"'
/** Longest line in characters. A quoted cell that has no end would take the rest of the file. */
const MOST_LENGTH = 65_536
const CELL_END = /[,\r\n]/g
/** A line end. The other half of a CRLF may come with the next piece. */
const LINE_END = /\r\n|\n|\r(?=[^\n])/y

/** Splits pieces of a file into lines. Empty lines are left out. A byte order mark at the begin is no text. */
export class CsvReader {
  #rest = ''
  #line = 1
  #begun = false

  /** @param mostLength - Most characters of a line. */
  constructor(readonly mostLength: number = MOST_LENGTH) {}

  /** Takes the next piece of the file and returns the lines that it completes. @throws CsvError */
  push(text: string): CsvRecord[] {
    this.#rest += this.#begun ? text : text.replace(/^\uFEFF/, '')
    this.#begun ||= text.length > 0
    return this.#take(false)
  }

  /** Returns the last line, which may have no line end. @throws CsvError */
  end(): CsvRecord[] {
    return this.#take(true)
  }

  #take(isEnd: boolean): CsvRecord[] {
    const records: CsvRecord[] = []
    let at = 0
    for (;;) {
      if (at === this.#rest.length) break
      const record = this.#read(at, isEnd)
      if (record === null) break
      if (record.end - at > this.mostLength) throw this.#tooLong()
      if (record.cells.length > 1 || record.cells[0] !== '') {
        records.push({ line: this.#line, cells: record.cells })
      }
      this.#line += record.lines
      at = record.end
    }
    this.#rest = this.#rest.slice(at)
    if (this.#rest.length > this.mostLength) throw this.#tooLong()
    return records
  }

  #tooLong(): CsvError {
    return new CsvError(this.#line, `is longer than ${this.mostLength} characters`)
  }

  /** Reads the line at an index. Returns `null` where its end is not there yet. */
  #read(start: number, isEnd: boolean): { cells: string[]; end: number; lines: number } | null {
    const text = this.#rest
    const cells: string[] = []
    let lines = 0
    for (let at = start; ; at++) {
      let cell: string
      if (text[at] === QUOTE) {
        cell = ''
        for (at++; ; at++) {
          const end = text.indexOf(QUOTE, at)
          if (end === -1) {
            if (isEnd) throw new CsvError(this.#line, 'has a quotation mark without its end')
            return null
          }
          cell += text.slice(at, end)
          at = end + 1
          if (text[at] !== QUOTE) break
          cell += QUOTE
        }
        lines += cell.split(/\r\n|\r|\n/).length - 1
        // The next piece may begin with the other half of a doubled quotation mark.
        if (at === text.length && !isEnd) return null
      } else {
        CELL_END.lastIndex = at
        const end = CELL_END.exec(text)?.index ?? text.length
        cell = text.slice(at, end)
        at = end
      }
      cells.push(cell)
      if (text[at] === ',') continue
      if (at === text.length) return isEnd ? { cells, end: at, lines: lines + 1 } : null
      LINE_END.lastIndex = at
      const end = LINE_END.exec(text)?.[0] ?? (isEnd && text[at] === '\r' ? '\r' : '')
      if (end === '') {
        if (!isEnd && text[at] === '\r' && at + 1 === text.length) return null
        throw new CsvError(this.#line, 'has a text after a quoted cell')
      }
      return { cells, end: at + end.length, lines: lines + 1 }
    }
  }
}
