/** The smallest server of pages: the same server library and one route with a constant text, without a query. */

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { childOptions, ready } from './child.js'

const { text } = childOptions<{ text: string }>()
const app = new Hono()
app.get('/page', (c) => c.html(text))
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => ready({ port }))
