/** Creates the error 404. It is the same for an unknown object and for another merchant's. */

import { KeyturnError } from '../../domain/errors.js'

/** Creates the error. @param what - Name of the object in the singular, e.g. `address`. */
export function notFound(what: string, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no ${what} "${id.slice(0, 100)}". Check the id`, {
    details: { [what]: id.slice(0, 100) },
  })
}
