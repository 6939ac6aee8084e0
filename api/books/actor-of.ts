/** Says who sent a request, for the books. */

import type { Context } from 'hono'
import type { Actor } from '../../db/books/exceptions/change-exception.js'
import type { ApiEnv } from '../context.js'

/** Returns the person or, without one, the API key. */
export function actorOf(c: Context<ApiEnv>): Actor {
  return { by: c.get('initiator'), actor: c.get('actor') }
}
