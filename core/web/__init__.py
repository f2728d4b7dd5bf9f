"""Everything that is not the data plane: health, models, metrics, the page and the admin plane.

site           the FastAPI application behind the data plane
door           who may come in: before every route, those that do not exist included
static         the page's files
body           the JSON of a request to the admin plane, as a typed value
answers        values and errors as HTTP answers
admin          the routes of the admin plane, put together
admin_*        some of them each: `routes(proxy)` gives them
"""
