/** Reads the headers of a request for a file: which encoding the reader takes, and which part it wants. */

/** Range of bytes, of which the end is not included. */
export interface ByteRange {
  readonly begin: number
  readonly end: number
  /** Whether the reader asked for a part, so that the answer is 206. */
  readonly part: boolean
}

/** Whether the reader takes gzip, by its `Accept-Encoding`. */
export function acceptsGzip(header: string | undefined): boolean {
  const codings = (header ?? '').split(',').map((coding) => {
    const [name = '', ...parameters] = coding.split(';').map((text) => text.trim().toLowerCase())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    return { name, weight: quality === undefined ? 1 : Number(quality) }
  })
  return (codings.find(({ name }) => name === 'gzip')?.weight ?? 0) > 0
}

/**
 * Returns the range of a `Range` header, or the whole file. A header of another form is ignored, as RFC 9110
 * has it.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' {
  const whole = { begin: 0, end: size, part: false }
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === '' && last === '') return whole
  if (first === '') {
    if (Number(last) === 0 || size === 0) return 'unsatisfiable'
    return { begin: Math.max(0, size - Number(last)), end: size, part: true }
  }
  const begin = Number(first)
  const end = last === '' ? size : Math.min(size, Number(last) + 1)
  if (last !== '' && Number(last) < begin) return whole
  return begin >= size ? 'unsatisfiable' : { begin, end, part: true }
}
