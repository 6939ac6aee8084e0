/** Declares what the routes of webhook endpoints share: their path parameter, their tag and their body. */

import { z } from '@hono/zod-openapi'

export const params = z.object({ id: z.string() })
export const tags = ['Webhooks']
export const json = <T extends z.ZodType>(schema: T, required = true) => ({
  body: { required, content: { 'application/json': { schema } } },
})
