/** Parses CSV strictly as RFC 4180 has it, for tests. It shares no code with the writer. */

/** Returns the cells of each line. @throws Error where the text is not RFC 4180. */
export function parseCsv(text: string): string[][] {
  const lines: string[][] = []
  let at = 0
  while (at < text.length) {
    const cells: string[] = []
    for (;;) {
      if (text[at] === '"') {
        let cell = ''
        at++
        for (;;) {
          const end = text.indexOf('"', at)
          if (end === -1) throw new Error('A quoted cell has no end')
          cell += text.slice(at, end)
          at = end + 1
          if (text[at] !== '"') break
          cell += '"'
          at++
        }
        cells.push(cell)
      } else {
        const [cell] = /^[^",\r\n]*/.exec(text.slice(at)) ?? ['']
        cells.push(cell)
        at += cell.length
      }
      if (text[at] !== ',') break
      at++
    }
    if (text.slice(at, at + 2) !== '\r\n') throw new Error(`Line ${lines.length + 1} has no CRLF at its end`)
    at += 2
    lines.push(cells)
  }
  return lines
}

/** Returns the lines as objects by the names of the head. */
export function readCsv(text: string): Record<string, string>[] {
  const [head = [], ...lines] = parseCsv(text)
  return lines.map((cells) => {
    if (cells.length !== head.length)
      throw new Error(`A line has ${cells.length} cells instead of ${head.length}`)
    return Object.fromEntries(head.map((name, index) => [name, cells[index] ?? '']))
  })
}
