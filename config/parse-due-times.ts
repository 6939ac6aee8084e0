/** Parses the due times of exceptions that an operator overrides. */

import { EXCEPTION_KINDS, type ExceptionKind } from '../domain/books/exception.js'
import { parseDuration } from '../networks/parse-duration.js'

/**
 * Parses `stuck=2h,late=3d` into milliseconds by kind.
 *
 * @throws Error that names the item that is no kind with a duration.
 */
export function parseDueTimes(text: string): ReadonlyMap<ExceptionKind, number> {
  const items = text.split(',').map((item) => item.trim())
  return new Map(
    items.filter(Boolean).map((item) => {
      const [name, duration] = item.split('=')
      const kind = EXCEPTION_KINDS.find((each) => each === name?.trim())
      const due = duration === undefined ? 0 : parseDuration(duration)
      if (kind === undefined || due <= 0) {
        throw new Error(`"${item}" is not a due time of a kind of exceptions. Write, for example, stuck=2h`)
      }
      return [kind, due] as const
    }),
  )
}
