"""Jobs: several tasks over one batch of documents, run in the background and kept for 24 hours.

job      what a job and its tasks are, and how a job's state follows from them
work     what doing a task is to the runner
turns    who may ask the model next, so that a long job does not hold up short ones
member   an installation among those that share its jobs
tables   the tables, and rows to jobs and back
database that database opened, and brought up to date
take_up  jobs that were left behind, and what of them is counted
claims   who holds a job, where several installations share the tables
records  what is written to those tables and read: in the state directory's file, or at any SQLAlchemy URL
store    those records behind one thread, opened when they are asked for
refusals what is said of a database that cannot be used
runner   runs jobs, ends them, and takes up after a restart what a stop or a crash left behind
"""
