/** 404 for an object that does not exist or is another merchant's: the two must not differ. */

import { KeyturnError } from '../../domain/errors.js'

/** @param what - Singular, e.g. `address`. */
export function notFound(what: string, id: string): KeyturnError {
  return new KeyturnError('NOT_FOUND', `There is no ${what} "${id.slice(0, 100)}"; check the id`, {
    details: { [what]: id.slice(0, 100) },
  })
}
