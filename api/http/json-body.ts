/** Declares the JSON body of a route. */

import type { z } from '@hono/zod-openapi'

/** Returns the field of `request` that declares a body of this schema. @param required - Default `true`. */
export const jsonBody = <T extends z.ZodType>(schema: T, required = true) => ({
  body: { required, content: { 'application/json': { schema } } },
})
