/** Declares what the routes of webhook endpoints share: their path parameter and their tag. */

import { z } from '@hono/zod-openapi'

export const params = z.object({ id: z.string() })
export const tags = ['Webhooks']
